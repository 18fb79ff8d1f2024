import type { BacklogSummary } from '../event-log/deliveries/backlog.js';
import type { HealthSettings } from './health.options.js';

/** The most handlers that a message names. */
const NAMED = 5;

/** How far deliveries are behind, by the handler that is furthest behind. */
export interface DeliveryFigures {
  lagSeconds: number;
  /** The handler with that lag; `null` when none is behind. */
  slowest: string | null;
  routingLagSeconds: number;
  deadLetters: number;
}

/** The key figures of a backlog. */
export function deliveryFigures({ handlers, unrouted }: BacklogSummary): DeliveryFigures {
  const slowest = handlers.toSorted((a, b) => b.overdue - a.overdue)[0];
  const lag = slowest?.overdue ?? 0;
  return {
    lagSeconds: lag / 1000,
    slowest: lag > 0 ? (slowest?.handler ?? null) : null,
    routingLagSeconds: unrouted / 1000,
    deadLetters: handlers.reduce((sum, { dead }) => sum + dead, 0),
  };
}

/** What exceeds its threshold in a backlog, by how much, and what to do. */
export function deliveryTroubles(
  summary: BacklogSummary,
  {
    deliveryLag,
    routingLag,
    deadLetters,
  }: Pick<HealthSettings, 'deliveryLag' | 'routingLag' | 'deadLetters'>,
): string[] {
  const figures = deliveryFigures(summary);
  const troubles: string[] = [];
  if (routingLag !== false && summary.unrouted > routingLag) {
    troubles.push(
      `an event has been waiting for ${figures.routingLagSeconds} s to be handed to its handlers (${routingLag / 1000} s are allowed): see that a process runs whose role is \`all\` or \`worker\`, and what its log says`,
    );
  }
  const late = summary.handlers.filter(({ overdue }) => deliveryLag !== false && overdue > deliveryLag);
  if (deliveryLag !== false && late.length > 0) {
    const names = namesOf(late.toSorted((a, b) => b.overdue - a.overdue));
    troubles.push(
      `deliveries to ${names} have been due for up to ${figures.lagSeconds} s (${deliveryLag / 1000} s are allowed): see that a process runs that has these handlers, and what they wait for, or add workers`,
    );
  }
  if (deadLetters !== false && figures.deadLetters > deadLetters) {
    const names = namesOf(
      summary.handlers.filter(({ dead }) => dead > 0).toSorted((a, b) => b.dead - a.dead),
    );
    troubles.push(
      `${figures.deadLetters === 1 ? 'there is 1 dead letter' : `there are ${figures.deadLetters} dead letters`} of ${names} (${deadLetters} are allowed): mend what their attempts failed with, then replay or dismiss them with \`Deliveries\``,
    );
  }
  return troubles;
}

function namesOf(handlers: readonly { handler: string }[]): string {
  const names = handlers.slice(0, NAMED).map(({ handler }) => `\`${handler}\``);
  const others = handlers.length - names.length;
  return others > 0 ? `${names.join(', ')} and ${others} more` : names.join(', ');
}
