import { Controller, Get } from '@nestjs/common';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import {
  DeliveryHealthIndicator,
  LivekitHealthIndicator,
  LivekitHealthModule,
  WebhookSilenceHealthIndicator,
} from '../../../src/health/index.js';
import { handlerHosts, handlerOf } from '../../support/handlers.js';
import { healthOf } from '../../support/health.js';

@Controller('healthz')
class HostController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly deliveries: DeliveryHealthIndicator,
    private readonly webhooks: WebhookSilenceHealthIndicator,
    private readonly livekit: LivekitHealthIndicator,
  ) {}

  @Get()
  check() {
    return this.health.check([
      () => this.deliveries.isHealthy('calls_handled'),
      () => this.webhooks.isHealthy('calls_told'),
      () => this.livekit.isHealthy('calls_carried'),
    ]);
  }
}

const failing = handlerOf(
  'failing',
  () => {
    throw new Error('bad');
  },
  { maxAttempts: 1 },
);

describe("a host's own health controller, without SessionsModule,", () => {
  const hosts = handlerHosts();

  const boot = async (health: object) => {
    const imports = [
      { module: class {}, imports: [health as never, TerminusModule], controllers: [HostController] },
    ];
    const host = await hosts.boot([failing], { imports });
    await host.app.listen(0, '127.0.0.1');
    await host.receive(['EV_1', 'room_started', 'RM_1']);
    await host.deliveries.drain();
    return host;
  };

  test('has every indicator, under its own keys, by a plain import', async () => {
    const { app } = await boot(LivekitHealthModule);
    const { code, details } = await healthOf(app, '/healthz');
    expect(code).toBe(503);
    expect(details).toMatchObject({
      calls_handled: { status: 'down', deadLetters: 1 },
      calls_told: { status: 'up', projects: { default: { rooms: null } } },
      calls_carried: { status: 'up', projects: {} },
    });
  });

  test.each<[string, object]>([
    ['forRoot', LivekitHealthModule.forRoot({ deadLetters: 1 })],
    ['forRootAsync', LivekitHealthModule.forRootAsync({ useFactory: () => ({ deadLetters: 1 }) })],
  ])('goes by the thresholds that %s is given', async (_how, health) => {
    const { app } = await boot(health);
    expect((await healthOf(app, '/healthz')).code).toBe(200);
  });
});
