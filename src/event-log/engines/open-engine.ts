import { importPeers } from '../../optional-peer.js';
import type { DeliveryEngine, DeliveryEngineOptions } from './delivery-engine.js';
import { type NatsAddress, natsAddress } from './nats-address.js';

/**
 * Creates the engine that the options name, unless that is the database itself.
 *
 * @param storeId distinguishes the queues of this store from those of others on the same server.
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
