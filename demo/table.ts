/** A session as `GET /voice/sessions` returns it, as far as the table shows it. */
export interface Session {
  sessionId: string;
  state: string;
  startedAt: string | null;
  durationSeconds: number | null;
  disposition: string | null;
  participants: {
    identity: string;
    kind: string;
    connections: { joinedAt: string | null; leftAt: string | null; reason: string | null }[];
  }[];
  recordings: { status: string; files: { filename: string | null; durationSeconds: number | null }[] }[];
}

const COLUMNS = ['session', 'state', 'began', 'seconds', 'went', 'participants: joined – left, why'];

/** Sessions as a text table, the earliest first, a line for each connection. */
export function sessionTable(sessions: readonly Session[]): string {
  const rows = sessions.toReversed().flatMap(sessionRows);
  const widths = COLUMNS.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]) =>
    `  ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd();
  return [line(COLUMNS), line(widths.map((width) => '─'.repeat(width))), ...rows.map(line)].join('\n');
}

function sessionRows(session: Session): string[][] {
  const connections = session.participants.flatMap(({ identity, kind, connections: all }) =>
    all.map(
      ({ joinedAt, leftAt, reason }) =>
        `${identity} (${kind}) ${clock(joinedAt)} – ${clock(leftAt)}  ${reason ?? ''}`,
    ),
  );
  const head = [
    session.sessionId,
    session.state,
    clock(session.startedAt),
    session.durationSeconds?.toFixed(1) ?? '–',
    session.disposition ?? '–',
  ];
  const recordings = session.recordings.flatMap(({ status, files }) =>
    files.map(
      ({ filename, durationSeconds }) => `● ${filename}, ${durationSeconds?.toFixed(1)} s, ${status}`,
    ),
  );
  const [first = 'nobody', ...others] = [...connections, ...recordings];
  return [[...head, first], ...others.map((line) => ['', '', '', '', '', line])];
}

const clock = (time: string | null): string => time?.slice(11, 23) ?? '–';
