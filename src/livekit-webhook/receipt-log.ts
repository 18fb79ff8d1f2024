import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { LOG_SETTINGS, type LogSettings } from '../logging/log-options.js';
import { Log } from '../logging/log.js';
import { type TimedWebhookReceipt, type WebhookOutcome, WebhookReceipts } from './webhook-receipts.js';

/** How loud an outcome is: what is lost or wrong is a warning, what a human must mend an error. */
const LEVELS: Partial<Record<WebhookOutcome, 'warn' | 'error'>> = {
  conflict: 'warn',
  too_old: 'warn',
  invalid: 'warn',
  unauthorized: 'warn',
  method_not_allowed: 'warn',
  too_large: 'warn',
  unsupported_encoding: 'warn',
  unfinished: 'warn',
  cut_off: 'warn',
  queue_full: 'error',
  unread: 'error',
  store_failed: 'error',
  store_slow: 'error',
  store_closed: 'warn',
  host_refused: 'error',
  failed: 'error',
};

/** Writes one line for every request to a webhook path; of those that went well, for a share of the rooms if that is wanted. */
@Injectable()
export class ReceiptLog implements OnModuleInit {
  private readonly logger = new Log('LivekitWebhook');

  constructor(
    private readonly receipts: WebhookReceipts,
    @Inject(LOG_SETTINGS) private readonly settings: LogSettings,
  ) {}

  onModuleInit(): void {
    this.receipts.observe((receipt) => this.write(receipt));
  }

  private write({ delivery, outcome, status, reason, detail, milliseconds }: TimedWebhookReceipt): void {
    const { event, project, scheme } = delivery;
    const level = LEVELS[outcome] ?? 'log';
    if (!this.settings.writes(level)) return;
    if (level === 'log' && !this.settings.samples(event?.roomName ?? event?.id ?? '')) return;
    this.logger.write(level, 'webhook', {
      outcome,
      event: event?.name,
      id: event?.id,
      room: event?.roomName,
      project,
      scheme,
      status,
      reason,
      detail,
      milliseconds: Math.round(milliseconds * 10) / 10,
    });
  }
}
