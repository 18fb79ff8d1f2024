import { type ArgumentsHost, Catch, type ExceptionFilter, Injectable } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import type { IncomingMessage } from 'node:http';
import { AppendQueueFullError, StoreUnavailableError } from '../event-log/errors.js';
import { errorFields, toldOf } from '../logging/error-fields.js';
import { Log } from '../logging/log.js';
import { InvalidWebhookError, RequestRefusedError, SignatureRefusedError } from './errors.js';
import { attachDelivery, deliveryOf, type WebhookDelivery } from './raw-body/delivery.js';
import type { SignatureFailure } from './signatures/signature.js';
import { WebhookAnswers } from './webhook-answers.js';
import { WebhookIntake } from './webhook-intake.js';
import type { WebhookReceipt } from './webhook-receipts.js';

type Refusal = Parameters<WebhookAnswers['send']>[2];

/**
 * Turns whatever goes wrong with a delivery into the contract's answer. Bound to the controller itself, it comes before
 * a host's global filters; an unknown error is answered 503, because LiveKit never retries a 4xx.
 */
@Catch()
@Injectable()
export class WebhookExceptionFilter implements ExceptionFilter {
  private readonly logger = new Log('LivekitWebhook');

  constructor(
    private readonly answers: WebhookAnswers,
    private readonly intake: WebhookIntake,
    private readonly config: ApplicationConfig,
  ) {}

  async catch(error: unknown, host: ArgumentsHost): Promise<void> {
    const http = host.switchToHttp();
    const request = http.getRequest<IncomingMessage>();
    const delivery = deliveryOf(request) ?? attachDelivery(request, unseenDelivery());
    const refusal =
      error instanceof InvalidWebhookError
        ? await this.invalid(error, delivery)
        : this.refusalOf(error, delivery);
    this.answers.send(http.getResponse(), delivery, refusal);
  }

  // Its bytes are kept before it is refused: it will not be sent again.
  private async invalid(error: InvalidWebhookError, delivery: WebhookDelivery): Promise<Refusal> {
    try {
      await this.intake.quarantine(delivery);
      return { outcome: 'invalid', detail: error.message };
    } catch (failure) {
      return this.refusalOf(failure, delivery);
    }
  }

  private refusalOf(error: unknown, delivery: WebhookDelivery): Refusal {
    if (error instanceof SignatureRefusedError) {
      return { outcome: 'unauthorized', reason: error.failure.reason, ...explain(error.failure) };
    }
    // A problem of the request itself comes first, even when the host refused it before we could.
    const problem = error instanceof RequestRefusedError ? error.problem : delivery.problem;
    if (problem !== undefined) return { outcome: problem, ...PROBLEM_DETAILS[problem] };
    if (error instanceof AppendQueueFullError) return { outcome: 'queue_full' };
    if (error instanceof StoreUnavailableError) {
      return {
        outcome: `store_${error.reason}`,
        ...(error.cause instanceof Error && { detail: toldOf(error.cause) }),
      };
    }
    if (!delivery.guarded) return { outcome: 'host_refused', detail: this.hostRefusal(error) };
    this.logger.error('a webhook failed unexpectedly', errorFields(error));
    return { outcome: 'failed' };
  }

  private hostRefusal(error: unknown): string {
    const guard =
      /^ +at (?:async )?(\w+)\.canActivate/m.exec((error as Error | undefined)?.stack ?? '')?.[1] ??
      [
        ...this.config.getGlobalGuards(),
        ...this.config.getGlobalRequestGuards().map((wrapper) => wrapper.instance),
      ]
        .map((instance) => instance?.constructor?.name)
        .join(', ');
    return (
      `a global guard of the host (${guard}) refused LiveKit, which has its own signature: let it past with ` +
      '`decorators: [Public(), SkipThrottle()]` (beside `useFactory` in `forRootAsync`), or whatever that guard goes by'
    );
  }
}

const PROBLEM_DETAILS: Partial<Record<string, Pick<WebhookReceipt, 'detail'>>> = {
  too_large: {
    detail: 'the body is larger than `bodyLimit` (LIVEKIT_WEBHOOK_BODY_LIMIT); this event is lost',
  },
  unsupported_encoding: {
    detail: 'the body is compressed, which LiveKit never does: look at the proxy in between',
  },
  unread: {
    detail:
      'the body was read before it reached us, and its bytes are gone: mount what reads it (a body parser, a proxy) behind ' +
      'the webhook path, or have it keep them in `request.rawBody`',
  },
};

const explain = ({ reason, skew, age }: SignatureFailure): Pick<WebhookReceipt, 'detail'> => {
  if (skew !== undefined) {
    return { detail: `${seconds(skew)} s outside its life: compare this machine's clock with LiveKit's` };
  }
  if (age !== undefined) {
    return { detail: `the event is ${seconds(age)} s old: a relay held it back, or somebody replays it` };
  }
  return SIGNATURE_DETAILS[reason] ?? {};
};

const seconds = (milliseconds: number): number => Math.round(milliseconds / 100) / 10;

const SIGNATURE_DETAILS: Partial<Record<SignatureFailure['reason'], Pick<WebhookReceipt, 'detail'>>> = {
  missing: { detail: 'no signature: not LiveKit, or a proxy drops the Authorization header' },
  unknown_key: {
    detail: "signed with an API key that is not configured here: compare with LiveKit's `webhook.api_key`",
  },
  signature: {
    detail: 'signed with another secret: compare the API secret with that of the key LiveKit signs with',
  },
  body_hash: { detail: 'the body is not the one that was signed: something in between changes it' },
};

const unseenDelivery = (): WebhookDelivery => ({
  path: '',
  receivedAt: Date.now(),
  startedAt: performance.now(),
  guarded: false,
  recorded: false,
});
