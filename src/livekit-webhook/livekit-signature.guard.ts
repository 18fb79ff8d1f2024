import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { CLOCK, type Clock } from '../event-log/clock.js';
import { occurredAtOf } from './dto/webhook-event.dto.js';
import { RequestRefusedError, SignatureRefusedError } from './errors.js';
import type { SignatureScheme } from './livekit-webhook.options.js';
import { deliveryOf, jsonOf, type WebhookDelivery } from './raw-body/delivery.js';
import { WEBHOOK_SETTINGS, type WebhookSettings } from './settings.js';
import { verifyHmac } from './signatures/hmac.verifier.js';
import { verifyLivekitToken } from './signatures/livekit-token.verifier.js';
import type { SignedRequest, Verdict } from './signatures/signature.js';
import { WebhookAnswers } from './webhook-answers.js';

/** Lets through requests signed with one of our secrets, and records on the delivery which project signed it. */
@Injectable()
export class LivekitSignatureGuard implements CanActivate {
  constructor(
    @Inject(WEBHOOK_SETTINGS) private readonly settings: WebhookSettings,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly answers: WebhookAnswers,
  ) {}

  /** @throws RequestRefusedError, SignatureRefusedError */
  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const request = http.getRequest<IncomingMessage>();
    const delivery = deliveryOf(request);
    if (delivery === undefined) throw new RequestRefusedError('unread');
    delivery.guarded = true;
    if (delivery.problem !== undefined) throw new RequestRefusedError(delivery.problem);
    const { scheme, signature } = this.signatureOf(request);
    delivery.scheme = scheme;
    const verdict = this.verify(scheme, signature, delivery);
    if (!('key' in verdict)) throw new SignatureRefusedError(verdict);
    delivery.project = verdict.key.project;
    this.answers.answerInTime(http.getResponse(), delivery);
    return true;
  }

  private signatureOf({ headers }: IncomingMessage): { scheme: SignatureScheme; signature: string } {
    const { signatures } = this.settings;
    const token = headers.authorization;
    if (signatures.has('livekit') && token !== undefined) return { scheme: 'livekit', signature: token };
    const hmac = headers['x-livekit-signature'];
    if (signatures.has('hmac') && typeof hmac === 'string') return { scheme: 'hmac', signature: hmac };
    throw new SignatureRefusedError({ reason: 'missing' });
  }

  private verify(scheme: SignatureScheme, signature: string, delivery: WebhookDelivery): Verdict {
    const body = delivery.body ?? Buffer.alloc(0);
    delivery.bodySha256 = hash('sha256', body, 'hex'); // hashing to bytes takes twice as long
    const request: SignedRequest = {
      body,
      bodySha256: delivery.bodySha256,
      keys: this.settings.keysByPath.get(delivery.path) ?? [],
      now: this.clock.now(),
      clockTolerance: this.settings.clockTolerance,
    };
    if (scheme === 'livekit') return verifyLivekitToken(signature, request);
    return verifyHmac(signature, request, () => {
      const json = jsonOf(delivery);
      return { json, occurredAt: occurredAtOf(json) };
    });
  }
}
