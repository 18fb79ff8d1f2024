// Checked by `npm run typecheck`, and never run: what may be left out may be `undefined`, as `{ state: query.state }` gives it.
import type { LivekitHealthModuleOptions } from '../../../src/health/index.js';
import type {
  BackoffOptions,
  CreateRoomOptions,
  CreateTokenOptions,
  DeliveryFilter,
  DeliveryQuery,
  DeliveryEngineOptions,
  DeliveryRunnerOptions,
  EventStoreOptions,
  ExpectationsFilter,
  ExpectOptions,
  HandlerOptions,
  HostEventOptions,
  LivekitWebhookModuleExtras,
  LivekitWebhookModuleOptions,
  LogOptions,
  MetricsModuleOptions,
  OfProject,
  OutletsModuleOptions,
  RebuildOptions,
  BackfillStart,
  RetentionOptions,
  SessionsFilter,
  SessionsModuleExtras,
  SessionsModuleOptions,
} from '../../../src/index.js';
import type {
  DeliverOptions,
  PlayOptions,
  SigningOptions,
  WebhookTesterOptions,
} from '../../../src/testing/index.js';

type Optional<Options> = {
  [Name in keyof Options]-?: object extends Pick<Options, Name> ? Name : never;
}[keyof Options];
type Unset<Options> = { [Name in Optional<Options>]: undefined };
const mayBeUnset = <Options>(
  ..._: Unset<Options> extends Partial<Options> ? [] : ['an option lacks `| undefined`']
) => _;

mayBeUnset<BackoffOptions>();
mayBeUnset<CreateRoomOptions>();
mayBeUnset<CreateTokenOptions>();
mayBeUnset<DeliveryFilter>();
mayBeUnset<DeliveryQuery>();
mayBeUnset<DeliveryEngineOptions>();
mayBeUnset<DeliveryRunnerOptions>();
mayBeUnset<EventStoreOptions>();
mayBeUnset<ExpectationsFilter>();
mayBeUnset<ExpectOptions>();
mayBeUnset<HandlerOptions>();
mayBeUnset<HostEventOptions>();
mayBeUnset<LivekitWebhookModuleExtras>();
mayBeUnset<LivekitWebhookModuleOptions>();
mayBeUnset<LogOptions>();
mayBeUnset<MetricsModuleOptions>();
mayBeUnset<OfProject>();
mayBeUnset<OutletsModuleOptions>();
mayBeUnset<RebuildOptions>();
mayBeUnset<BackfillStart>();
mayBeUnset<RetentionOptions>();
mayBeUnset<SessionsFilter>();
mayBeUnset<SessionsModuleExtras>();
mayBeUnset<SessionsModuleOptions>();

mayBeUnset<LivekitHealthModuleOptions>();

mayBeUnset<DeliverOptions>();
mayBeUnset<PlayOptions>();
mayBeUnset<SigningOptions>();
mayBeUnset<WebhookTesterOptions>();

// @ts-expect-error as it must not be: `undefined` is not left out
mayBeUnset<{ state?: 'active' }>();
