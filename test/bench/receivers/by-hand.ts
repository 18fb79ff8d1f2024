import Database from 'libsql';
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { API_KEY, API_SECRET } from '../keys.js';
import { type Started, startPlain } from './started.js';

interface Waiting {
  row: unknown[];
  done: () => void;
}

/**
 * What one writes who counts microseconds: Node's own server, the token looked at as shortly as is safe, and one row a
 * webhook in SQLite, many in a commit that is synced to the disk.
 */
export function startByHand(path: string): Promise<Started> {
  const database = new Database(path);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  database.exec(
    'CREATE TABLE webhooks (event_id text PRIMARY KEY, name text NOT NULL, room text, received_at integer NOT NULL, body blob NOT NULL)',
  );
  const insert = database.prepare('INSERT INTO webhooks VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING');
  const [begin, commit] = [database.prepare('BEGIN'), database.prepare('COMMIT')];
  let batch: Waiting[] = [];
  const flush = () => {
    const now = batch;
    batch = [];
    begin.run();
    for (const { row } of now) insert.run(...row);
    commit.run();
    for (const { done } of now) done();
  };
  const append = (row: unknown[]) =>
    new Promise<void>((done) => {
      if (batch.push({ row, done }) === 1) setImmediate(flush);
    });

  return startPlain(async (request, response) => {
    const body = await read(request);
    const answer = (status: number, text: string) =>
      response
        .writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': text.length })
        .end(text);
    if (!isSigned(request.headers.authorization ?? '', body)) return answer(401, '{"status":"unauthorized"}');
    const { id, event, room } = JSON.parse(body.toString());
    await append([id, event, room?.name ?? null, Date.now(), body]);
    return answer(200, '{"status":"accepted"}');
  });
}

function read(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request
      .on('data', (chunk) => chunks.push(chunk))
      .on('end', () => resolve(Buffer.concat(chunks)))
      .on('error', reject);
  });
}

function isSigned(token: string, body: Buffer): boolean {
  const [header, payload = '', signature = ''] = token.split('.');
  const wanted = createHmac('sha256', API_SECRET).update(`${header}.${payload}`).digest();
  const given = Buffer.from(signature, 'base64url');
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return false;
  const { iss, exp, sha256 } = JSON.parse(Buffer.from(payload, 'base64url').toString());
  return (
    iss === API_KEY &&
    exp * 1000 > Date.now() &&
    sha256 === createHash('sha256').update(body).digest('base64')
  );
}
