import {
  All,
  applyDecorators,
  Controller,
  Req,
  Res,
  type Type,
  UseFilters,
  UseGuards,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { WebhookEventDto } from './dto/webhook-event.dto.js';
import { LivekitSignatureGuard } from './livekit-signature.guard.js';
import { deliveryOf, jsonOf, type WebhookDelivery } from './raw-body/delivery.js';
import { WebhookAnswers } from './webhook-answers.js';
import { WebhookExceptionFilter } from './webhook-exception.filter.js';
import { WebhookIntake } from './webhook-intake.js';
import { WebhookRoute } from './webhook-route.js';

/**
 * Creates the controller that receives LiveKit's webhooks on a path: the bytes, verified by the guard, are validated,
 * appended and answered. It handles nothing but the raw request and response, so that a host's global pipes and
 * interceptors find nothing to change.
 */
export function createLivekitWebhookController(path: string, decorators: ClassDecorator[] = []): Type {
  @Controller({ path, version: VERSION_NEUTRAL })
  @UseGuards(LivekitSignatureGuard)
  @UseFilters(WebhookExceptionFilter)
  @applyDecorators(...decorators)
  class LivekitWebhookController {
    constructor(
      private readonly intake: WebhookIntake,
      private readonly answers: WebhookAnswers,
    ) {}

    @All()
    @WebhookRoute(path)
    async receive(@Req() request: IncomingMessage, @Res() response: unknown): Promise<void> {
      const delivery = deliveryOf(request) as WebhookDelivery; // the guard refuses a request without one
      const event = WebhookEventDto.from(jsonOf(delivery));
      const outcome = await this.intake.take(event, delivery);
      this.answers.send(response, delivery, { outcome });
    }
  }
  return LivekitWebhookController;
}
