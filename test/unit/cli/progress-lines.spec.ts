import { progressLines } from '../../../src/cli/progress-lines.js';

test('progress is told once a second, and when a table is done', () => {
  let time = 0;
  const lines: string[] = [];
  const tell = progressLines(
    (line) => lines.push(line),
    () => time,
  );
  const table = 'livekit_events';
  for (time of [400, 800, 1_200, 1_600, 2_300]) tell({ step: 'copied', table, rows: time, of: 2_400 });
  tell({ step: 'copied', table, rows: 2_400, of: 2_400 });
  expect(lines).toEqual([
    'copied livekit_events: 1,200 of 2,400',
    'copied livekit_events: 2,300 of 2,400',
    'copied livekit_events: 2,400 of 2,400',
  ]);
});
