/**
 * One of the servers that are compared, in a process of its own: `server.ts <contestant> <folder>`. It prints its URL,
 * and goes when its parent does.
 */
import 'reflect-metadata';
import { ConsoleLogger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import express from 'express';
import { WebhookReceiver } from 'livekit-server-sdk';
import type { AddressInfo } from 'node:net';
import { LivekitWebhookModule } from '../../dist/index.js';
import { API_KEY, API_SECRET, type Contestant, PATH } from './contestants.js';

const [contestant, folder] = process.argv.slice(2) as [Contestant, string];
process.send?.(await (contestant === 'baseline' ? startBaseline() : startOurs()));
process.on('disconnect', () => process.exit());

/** What people have today: an Express handler that verifies with LiveKit's own receiver, and stores nothing. */
async function startBaseline(): Promise<string> {
  const receiver = new WebhookReceiver(API_KEY, API_SECRET);
  const app = express();
  app.post(PATH, express.raw({ type: '*/*', limit: '1mb' }), async (request, response) => {
    try {
      await receiver.receive((request.body as Buffer).toString(), request.get('Authorization'));
      response.json({ status: 'accepted' });
    } catch {
      response.status(401).json({ status: 'unauthorized' });
    }
  });
  return new Promise((resolve) => {
    const server = app.listen(0, '127.0.0.1', () => {
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    });
  });
}

/** Ours: verified, stored on disk before it is answered, and logged. */
async function startOurs(): Promise<string> {
  class Host {}
  Module({
    imports: [
      LivekitWebhookModule.forRoot({
        apiKey: API_KEY,
        apiSecret: API_SECRET,
        path: PATH,
        database: { url: `file:${folder}/voice.sqlite` },
      }),
    ],
  })(Host);
  const adapter = contestant === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
  const app = await NestFactory.create(Host, adapter, { logger: new ConsoleLogger({ json: true }) });
  await app.listen(0, '127.0.0.1');
  return app.getUrl();
}
