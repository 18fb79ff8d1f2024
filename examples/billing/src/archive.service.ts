import { Injectable } from '@nestjs/common';
import {
  type DeliveryContext,
  DiscardDelivery,
  type LivekitEvent,
  OnLivekitEvent,
  RetryAfter,
} from 'nestjs-livekit-webhooks';
import { config } from './config.js';

@Injectable()
export class ArchiveService {
  /** At least once: the same key and the same bytes, however often it runs. */
  @OnLivekitEvent('egress_ended', { name: 'archive', timeout: 10_000 })
  async archive(
    { egressInfo }: LivekitEvent<'egress_ended'>,
    { idempotencyKey, signal }: DeliveryContext,
  ): Promise<void> {
    const { egressId, roomName, fileResults, error } = egressInfo;
    const [file] = fileResults;
    if (!file?.location) throw new DiscardDelivery(`${egressId} has no file to archive: ${error}`);
    const response = await fetch(new URL(`recordings/${egressId}.json`, config.archiveUrl), {
      method: 'PUT',
      headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
      body: JSON.stringify({ call: roomName, location: file.location, bytes: Number(file.size) }),
      signal,
    });
    if (response.status === 429 || response.status === 503) {
      throw new RetryAfter(Number(response.headers.get('retry-after') ?? 30) * 1_000);
    }
    if (!response.ok) throw new Error(`the archive answered ${response.status}`);
  }
}
