// Checked by `npm run typecheck`, and never run: what must not compile is marked, and fails the check when it does.
import type { EntityManager } from 'typeorm';
import {
  type AppEvent,
  type BatchContext,
  type DeadDelivery,
  type DeliveryContext,
  type LivekitEvent,
  OnAppEvent,
  OnDeliveryEvent,
  OnLivekitEvent,
  type ReconciledLivekitEvent,
  type TransactionalBatchContext,
  type TransactionalDeliveryContext,
} from '../../../src/index.js';

/** Compiles where the two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const check = <Is extends true>(): Is => true as Is;

export class Names {
  @OnLivekitEvent('participant_joined')
  one(event: LivekitEvent<'participant_joined'>) {
    check<Same<typeof event.event, 'participant_joined'>>();
    return event.participant.identity + event.room.sid + event.raw.length; // sure to be there
  }

  @OnLivekitEvent(['egress_started', 'egress_ended'])
  several(event: LivekitEvent<'egress_started' | 'egress_ended'>) {
    // @ts-expect-error an egress is of no participant
    const { identity } = event.participant;
    if (identity) return identity;
    return event.event === 'egress_ended' ? event.egressInfo.fileResults : event.egressInfo.egressId;
  }

  @OnLivekitEvent('*')
  all(event: LivekitEvent) {
    // @ts-expect-error not every event has a participant
    const { identity } = event.participant;
    return event.event === 'track_published' ? event.track.sid : identity;
  }

  // An event is an event: who needs less may ask for less.
  @OnLivekitEvent(['participant_joined', 'participant_left'])
  less({ room }: { room: { sid: string } }) {
    return room.sid;
  }

  @OnLivekitEvent('room_started')
  nothing() {}

  // @ts-expect-error there is no such event
  @OnLivekitEvent('participant_join')
  wrongName() {}

  // @ts-expect-error there is no such event among them
  @OnLivekitEvent(['room_started', 'room_ended'])
  wrongNames() {}

  // @ts-expect-error it is given another event than it names
  @OnLivekitEvent('room_started')
  wrongEvent(_: LivekitEvent<'participant_joined'>) {}

  // @ts-expect-error it is given one more than it takes
  @OnLivekitEvent(['participant_joined', 'room_started'])
  oneOfTwo(_: LivekitEvent<'participant_joined'>) {}

  // @ts-expect-error it is given all
  @OnLivekitEvent('*')
  someOfAll(_: LivekitEvent<'room_started'>) {}
}

export class Contexts {
  @OnLivekitEvent('room_started', { name: 'plain' })
  plain(_: LivekitEvent<'room_started'>, context: DeliveryContext) {
    check<Same<typeof context.signal, AbortSignal>>();
    // @ts-expect-error only a transactional handler has one
    return context.manager;
  }

  @OnLivekitEvent('room_started', { transactional: true })
  transactional(_: LivekitEvent<'room_started'>, { manager, attempt }: TransactionalDeliveryContext) {
    check<Same<typeof manager, EntityManager>>();
    return attempt;
  }

  @OnLivekitEvent('room_started', { transactional: true })
  managerUnused(_: LivekitEvent<'room_started'>, { idempotencyKey }: DeliveryContext) {
    return idempotencyKey;
  }

  // @ts-expect-error it is not transactional
  @OnLivekitEvent('room_started')
  noManager(_: LivekitEvent<'room_started'>, { manager }: TransactionalDeliveryContext) {
    return manager;
  }

  // @ts-expect-error it says that it is not
  @OnLivekitEvent('room_started', { transactional: false })
  notTransactional(_: LivekitEvent<'room_started'>, { manager }: TransactionalDeliveryContext) {
    return manager;
  }
}

export class Batches {
  @OnLivekitEvent('room_started', { batch: 10 })
  batch(events: LivekitEvent<'room_started'>[], { deliveries }: BatchContext) {
    return events.map(({ room }, n) => room.sid + deliveries[n]?.idempotencyKey);
  }

  @OnLivekitEvent('*', { batch: 10, transactional: true })
  transactional(_: readonly LivekitEvent[], { manager }: TransactionalBatchContext) {
    check<Same<typeof manager, EntityManager>>();
  }

  // @ts-expect-error a batch is an array
  @OnLivekitEvent('room_started', { batch: 10 })
  notAnArray(_: LivekitEvent<'room_started'>) {}

  // @ts-expect-error an array takes a batch
  @OnLivekitEvent('room_started')
  noBatch(_: LivekitEvent<'room_started'>[]) {}

  // @ts-expect-error a batch has as many attempts as members
  @OnLivekitEvent('room_started', { batch: 10 })
  noAttempt(_: LivekitEvent<'room_started'>[], { attempt }: DeliveryContext) {
    return attempt;
  }

  // @ts-expect-error it is not transactional
  @OnLivekitEvent('room_started', { batch: 10 })
  noManager(_: LivekitEvent<'room_started'>[], { manager }: TransactionalBatchContext) {
    return manager;
  }
}

export class Reconciled {
  @OnLivekitEvent('participant_left', { includeReconciled: true })
  one(event: LivekitEvent<'participant_left'> | ReconciledLivekitEvent<'participant_left'>) {
    // @ts-expect-error LiveKit has not sent every one of them
    const { raw } = event;
    return event.reconciled ? event.participant.identity : event.raw.length + Number(raw);
  }

  @OnLivekitEvent('*', { includeReconciled: true, batch: 10 })
  all(events: (LivekitEvent | ReconciledLivekitEvent)[]) {
    return events.filter(({ reconciled }) => reconciled);
  }

  // What can't be reconciled is what it was.
  @OnLivekitEvent('track_published', { includeReconciled: true })
  never(event: LivekitEvent<'track_published'>) {
    return event.raw;
  }

  // @ts-expect-error it is given both
  @OnLivekitEvent('room_finished', { includeReconciled: true })
  sentOnly(_: LivekitEvent<'room_finished'>) {}

  // It may be given less than it takes.
  @OnLivekitEvent('room_finished')
  both(_: LivekitEvent<'room_finished'> | ReconciledLivekitEvent<'room_finished'>) {}
}

export class Options {
  // @ts-expect-error there is no such option
  @OnLivekitEvent('room_started', { retries: 5 })
  unknown() {}

  // @ts-expect-error there is no such order
  @OnLivekitEvent('room_started', { ordering: 'participant' })
  order() {}

  // @ts-expect-error not a number of milliseconds
  @OnLivekitEvent('room_started', { timeout: '30s' })
  timeout() {}
}

interface Order {
  id: number;
}

export class HostEvents {
  @OnAppEvent<Order>('order.created')
  one({ data, name }: AppEvent<Order>) {
    return data.id + name.length;
  }

  @OnAppEvent('*')
  all({ data }: AppEvent) {
    // @ts-expect-error whatever it is
    return data.id;
  }

  @OnAppEvent(['order.created', 'order.paid'], { batch: 10, transactional: true })
  batch(events: AppEvent[], { manager }: TransactionalBatchContext) {
    return [events.length, manager];
  }

  @OnAppEvent('order.created', { transactional: true })
  transactional({ data }: AppEvent<Order>, { manager }: TransactionalDeliveryContext) {
    return [data.id, manager];
  }

  @OnAppEvent('order.created', { batch: 10 })
  orders(events: AppEvent<Order>[], { deliveries }: BatchContext) {
    return events.map(({ data }, n) => [data.id, deliveries[n]]);
  }

  // @ts-expect-error the data is something else
  @OnAppEvent<Order>('order.created')
  wrongData(_: AppEvent<{ id: string }>) {}

  @OnDeliveryEvent('delivery.dead')
  dead({ data }: AppEvent<DeadDelivery>) {
    return data.deliveryId;
  }

  // @ts-expect-error there is no such event
  @OnDeliveryEvent('delivery.done')
  done() {}
}
