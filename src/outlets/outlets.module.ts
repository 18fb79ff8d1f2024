import { type FactoryProvider, Module } from '@nestjs/common';
import { JetstreamPublisher } from './jetstream.publisher.js';
import { createOutlet, type Publisher } from './outlet.js';
import { type OutletName, OutletStates } from './outlet-states.js';
import { OUTLETS_OPTIONS, OutletsModuleClass } from './outlets.module-definition.js';
import {
  OUTLETS_SETTINGS,
  type OutletsModuleOptions,
  type OutletsSettings,
  resolveSettings,
} from './outlets.options.js';
import { RedisPublisher } from './redis.publisher.js';
import { WebhookPublisher } from './webhook/webhook.publisher.js';

/** Publishes session events and LiveKit's events to other systems, as CloudEvents. Needs `LivekitWebhookModule`. */
@Module({
  providers: [
    {
      provide: OUTLETS_SETTINGS,
      inject: [OUTLETS_OPTIONS],
      useFactory: (options: OutletsModuleOptions) => resolveSettings(options),
    },
    OutletStates,
    outlet('jetstream', (settings) => JetstreamPublisher.load(settings)),
    outlet('redis', (settings) => RedisPublisher.load(settings)),
    outlet('webhook', async (settings) => new WebhookPublisher(settings)),
  ],
  exports: [OutletStates],
})
export class OutletsModule extends OutletsModuleClass {}

function outlet<N extends OutletName>(
  name: N,
  open: (settings: NonNullable<OutletsSettings[N]>) => Promise<Publisher>,
): FactoryProvider {
  return {
    provide: Symbol.for(`nestjs-livekit-webhooks:outlet-${name}`),
    inject: [OUTLETS_SETTINGS, OutletStates],
    async useFactory(settings: OutletsSettings, states: OutletStates) {
      const own = settings[name];
      return own == null ? null : createOutlet(name, await open(own), settings.events, states);
    },
  };
}
