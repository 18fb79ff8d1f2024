import { Controller, HttpCode, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { PATH } from '../keys.js';
import type { Started } from './started.js';

@Controller(PATH)
class EmptyController {
  @Post()
  @HttpCode(200)
  receive() {
    return { status: 'accepted' };
  }
}

@Module({ controllers: [EmptyController] })
class EmptyModule {}

/** Nest on Fastify with a handler that does nothing: it does not even look at the body, which Fastify reads. */
export async function startEmpty(): Promise<Started> {
  const app = await NestFactory.create<NestFastifyApplication>(EmptyModule, new FastifyAdapter(), {
    logger: false,
  });
  app.useBodyParser('application/webhook+json', { bodyLimit: 1024 * 1024 }, (_request, _body, done) =>
    done(null, undefined),
  );
  await app.listen(0, '127.0.0.1');
  return { url: await app.getUrl(), drain: async () => undefined, backlog: async () => 0 };
}
