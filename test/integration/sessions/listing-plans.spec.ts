import type { EntityManager } from 'typeorm';
import { ConnectionEntity } from '../../../src/database/entities/connection.entity.js';
import { RoomEntity } from '../../../src/database/entities/room.entity.js';
import { SessionEntity } from '../../../src/database/entities/session.entity.js';
import { EntityRows } from '../../../src/database/entity-rows.js';
import { cursorOf, type SessionsFilter, sessionsQuery } from '../../../src/sessions/session-queries.js';
import { onPostgres, unusedDatabase } from '../../support/database.js';
import { planOf } from '../../support/plans.js';
import { freshStores } from '../../support/stores.js';

const PROJECTS = ['default', 'other'];
const AT = Date.UTC(2026, 10, 23);
const LAST = cursorOf({ beganAt: AT, pk: 1 } as SessionEntity);

/** Filters that an index has in the order of listings, and how it is called. */
const IN_ORDER: [string, SessionsFilter, string][] = [
  ['all', {}, 'newest'],
  ['those behind a cursor', { cursor: LAST }, 'newest'],
  ['a time', { from: new Date(AT), to: new Date(AT + 1) }, 'newest'],
  ['a state', { state: 'active' }, 'state'],
  ['a state behind a cursor', { state: 'settled', cursor: LAST }, 'state'],
  ['a project', { project: 'other' }, 'project'],
  ['a project behind a cursor', { project: 'other', cursor: LAST }, 'project'],
  ['a state of a project', { project: 'other', state: 'ended' }, 'project_state'],
  [
    'a state of a project behind a cursor',
    { project: 'other', state: 'ended', cursor: LAST },
    'project_state',
  ],
  ['a session id', { sessionId: 'call-1' }, 'id'],
  ['a session id behind a cursor', { sessionId: 'call-1', cursor: LAST }, 'id'],
  ['the unmatched', { unmatched: true }, 'unmatched'],
  ['the unmatched behind a cursor', { unmatched: true, cursor: LAST }, 'unmatched'],
];

/** Filters by what a room has. */
const BY_ROOM: [string, SessionsFilter, string[]][] = [
  ['a room', { room: 'call-1' }, ['livekit_rooms_name', 'livekit_rooms_sid']],
  ['an identity', { identity: 'agent' }, ['livekit_connections_identity']],
  [
    'a number',
    { number: '+49' },
    ['livekit_connections_phone_number', 'livekit_connections_trunk_phone_number'],
  ],
];

describe('listing sessions', () => {
  const fresh = freshStores(unusedDatabase);

  /** How a page is found. */
  const planOfPage = (filter: SessionsFilter): Promise<string> =>
    fresh.store.write(async (manager) => {
      const query = (await sessionsQuery(manager, filter)).select('s.pk').limit(50);
      if (onPostgres) await manager.query('SET LOCAL enable_sort = off');
      return planOf(manager, ...query.getQueryAndParameters());
    });

  const isSorted = /USE TEMP B-TREE|\bSort\b/;
  const isReadWhole = /SCAN (?!\w+ USING)|Seq Scan/;

  test.each(IN_ORDER)('reads %s from the place of the page in an index', async (_, filter, index) => {
    const plan = await planOfPage(filter);
    expect(plan).toMatch(new RegExp(`livekit_sessions_${index}\\b`));
    expect(plan).not.toMatch(isSorted);
    expect(plan).not.toMatch(isReadWhole);
    // Not a condition that each row before the page is tried with.
    if (filter.cursor !== undefined) expect(plan).toMatch(/began_at<\?|Index Cond: .*ROW\(began_at, pk\) </);
  });

  test.each(BY_ROOM)('finds %s by an index of its own', async (_, filter, indexes) => {
    const plan = await planOfPage(filter);
    if (!onPostgres) for (const index of indexes) expect(plan).toContain(index);
    expect(plan).not.toMatch(isReadWhole);
  });

  test('tries sessions in their order where very many have somebody', async () => {
    await fresh.store.write((manager) => fill(manager, 1_002));
    if (onPostgres) return; // it knows by its statistics
    for (const filter of [{ identity: 'agent' }, { number: '+49', cursor: LAST }]) {
      const plan = await planOfPage(filter);
      expect(plan).toContain('livekit_sessions_newest');
      expect(plan).toMatch(/SEARCH x USING INDEX sqlite_autoindex_livekit_connections_1/);
      expect(plan).not.toMatch(isSorted);
    }
  });

  describe.each([3, 1_002])('of two projects with %i rooms of the same sids', (rooms) => {
    test.each(PROJECTS)('shows none of the other to %s, whatever is asked for', async (project) => {
      await fresh.store.write((manager) => fill(manager, rooms));
      const asked: SessionsFilter[] = [...IN_ORDER, ...BY_ROOM].map(([, filter]) => ({ ...filter, project }));
      for (const filter of [...asked, { project, room: 'RM_1' }, { project, unmatched: false }]) {
        const found = await fresh.store.read(async (manager) =>
          (await sessionsQuery(manager, filter)).limit(200).getMany(),
        );
        expect(found.filter(({ source }) => source !== project)).toEqual([]);
      }
      const all = await fresh.store.read(async (manager) =>
        (await sessionsQuery(manager, { project, identity: 'agent' })).getMany(),
      );
      expect(all).toHaveLength(rooms);
    });
  });
});

/** As many rooms in each of two projects, of the same sids and names, each with a caller and the same agent. */
async function fill(manager: EntityManager, rooms: number): Promise<void> {
  const keys = PROJECTS.flatMap((source) =>
    Array.from({ length: rooms }, (_, nth) => ({ source, roomSid: `RM_${nth}`, nth })),
  );
  await new EntityRows(manager, RoomEntity).upsert(
    keys.map(({ nth, ...key }) => ({
      ...key,
      roomName: `call-${nth}`,
      starts: [],
      finishes: [],
      seenAt: AT,
    })),
    ['source', 'roomSid'],
  );
  await new EntityRows(manager, ConnectionEntity).upsert(
    keys.map(({ nth, ...key }) => ({
      ...key,
      participantSid: `PA_${nth}`,
      identity: 'agent',
      connected: true,
      trunkPhoneNumber: '+49',
    })),
    ['source', 'roomSid', 'participantSid'],
  );
  await new EntityRows(manager, SessionEntity).upsert(
    keys.map(({ nth, ...key }) => ({
      ...key,
      segment: 0,
      sessionId: `call-${nth}`,
      state: (['active', 'ended', 'settled'] as const)[nth % 3] ?? 'active',
      beganAt: AT + nth,
      metadata: {},
      unmatched: nth % 2 === 0 ? null : ('not_expected' as const),
      revision: 1,
      digest: '',
    })),
    ['source', 'roomSid', 'segment'],
  );
}
