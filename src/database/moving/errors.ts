/** A store is being moved into this database, and only a part of it is there: nothing but the rest may be written into it. */
export class HalfMovedStoreError extends Error {
  override readonly name = 'HalfMovedStoreError';

  constructor() {
    super(
      'this database holds only a part of a store that is being moved into it. Run `npx livekit-webhooks migrate-store` again ' +
        'with the same `--from` and `--to`: it goes on where it stopped, and the application starts when it is done',
    );
  }
}

/** The SQLite store has been, or is being, moved to PostgreSQL: what is written into it would not get there. */
export class StoreMovedError extends Error {
  override readonly name = 'StoreMovedError';

  /**
   * @param target where to, without credentials.
   * @param isFinished whether all of it is there.
   */
  constructor(
    readonly target: string,
    readonly isFinished: boolean,
  ) {
    const cure = isFinished
      ? `has been moved to ${target}: use that one (\`DATABASE_URL\`, with its credentials). `
      : `is being moved to ${target}: run \`npx livekit-webhooks migrate-store\` again, which goes on where it stopped, and then use that one. `;
    super(
      `this SQLite store ${cure}What is written into the file from now on would be missing there; to use the file all the same, ` +
        'take the mark off it: `npx livekit-webhooks migrate-store --from file:… --release`',
    );
  }
}

/** A store can't be moved as requested, and nothing has been changed; the message names the cure. */
export class MoveRefusedError extends Error {
  override readonly name = 'MoveRefusedError';
}

/** The copy of a store differs from its source. */
export class MovedStoreDiffersError extends Error {
  override readonly name = 'MovedStoreDiffersError';

  /** @param table the first in which a difference was found. */
  constructor(
    readonly table: string,
    difference: string,
  ) {
    super(
      `${table} differs from its source (${difference}): somebody else has written into the target, and the application refuses ` +
        'to start on it. Nothing is lost in the source. Drop the target, make an empty database, and run the command again',
    );
  }
}
