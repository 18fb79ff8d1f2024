import { importPeers } from '../optional-peer.js';
import type { DeliveryEngine, DeliveryEngineOptions } from './delivery-engine.js';
import { type NatsAddress, natsAddress } from './nats-address.js';

/**
 * Makes the engine that the options name, where it is not the database that brings deliveries.
 *
 * @param storeId tells the queues of this store from those of others on the same server.
 * @throws MissingPeerError when its packages are not installed.
 */
export async function openEngine(
  { type, url }: Exclude<DeliveryEngineOptions, { type: 'database' }>,
  storeId: string,
): Promise<DeliveryEngine> {
  const purpose = `the delivery engine \`${type}\``;
  if (type === 'bullmq') {
    const { BullmqEngine } = await importPeers(
      purpose,
      ['bullmq', 'ioredis'],
      () => import('./bullmq.engine.js'),
    );
    return new BullmqEngine(url, storeId);
  }
  const { JetstreamEngine } = await importPeers(
    purpose,
    ['@nats-io/transport-node', '@nats-io/jetstream'],
    () => import('./jetstream.engine.js'),
  );
  return new JetstreamEngine(natsAddress(url) as NatsAddress, storeId); // the options have been checked
}
