import { auditStore } from './audit.js';
import { auditHandlers, NOTHING_WRONG } from './handler-audit.js';
import type { HostProcesses } from './host-processes.js';
import type { Sender } from './sender.js';

/**
 * Every promise was kept, and nothing is left to do.
 *
 * @param caught how often a process may have been caught between the look at its lease and the first line of a handler:
 * nobody can keep that run from beginning late, and it is all that one thread can have under way.
 */
export async function expectAllWell(hosts: HostProcesses, sender: Sender, caught = 0): Promise<void> {
  await hosts.drained();
  const { stale, overlapping, ...others } = (await auditHandlers(hosts)).findings;
  const late = new Set([...stale, ...overlapping]);
  if (late.size > caught) expect({ stale, overlapping }).toEqual({ stale: [], overlapping: [] });
  expect({ ...NOTHING_WRONG, ...others }).toEqual(NOTHING_WRONG);
  expect(await auditStore(hosts.databaseUrl, sender)).toEqual({ lost: [], doubled: [], foreign: [] });
}
