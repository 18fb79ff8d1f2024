import { applicationDatabase } from '../support/application-database.js';
import { ApplicationProcess } from '../support/application-process.js';
import { seededRandom } from '../support/random.js';
import { auditSessions, auditStore } from './audit.js';
import { makeCall } from './calls.js';
import { Sender } from './sender.js';

const database = applicationDatabase();

test('an application whose log has lost its reader goes on receiving, and stops when it is told to', async () => {
  const application = await ApplicationProcess.start(database.url);
  const sender = new Sender(() => application.url);
  try {
    application.closeLog();
    await sender.sendAll(makeCall(seededRandom(1)), 1);
    await sender.sendAll(makeCall(seededRandom(2)), 8);
    expect(sender.unacknowledged).toEqual([]);
    await auditSessions(application, database.url);
    expect(await application.stop()).toEqual({ code: 0, signal: null });
    expect(await auditStore(database.url, sender)).toEqual({ lost: [], doubled: [], foreign: [] });
  } finally {
    sender.close();
  }
}, 120_000);
