/** A package that a chosen feature needs is not installed; the message names it, and how to install it. */
export class MissingPeerError extends Error {
  override readonly name = 'MissingPeerError';

  constructor(purpose: string, packages: readonly string[], options?: { cause?: unknown }) {
    super(`${purpose} needs what is not installed: npm install ${packages.join(' ')}`, options);
  }
}

/**
 * Imports packages that not every host has.
 *
 * @param purpose what they are needed for, which begins the message.
 * @throws MissingPeerError when one of them is not installed; any other failure as it is.
 */
export async function importPeers<T>(
  purpose: string,
  packages: readonly string[],
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (!/^(?:ERR_)?MODULE_NOT_FOUND$/.test(String((error as NodeJS.ErrnoException).code))) throw error;
    throw new MissingPeerError(purpose, packages, { cause: error });
  }
}
