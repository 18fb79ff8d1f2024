import { randomBytes } from 'node:crypto';

const PSEUDONYM = /^erased-[0-9a-f]{12}$/;

/** Makes a replacement of a name that rows are grouped by. */
export const newPseudonym = (): string => `erased-${randomBytes(6).toString('hex')}`;

/** Whether a name was erased. */
export const isPseudonym = (name: string | null): name is string => name !== null && PSEUDONYM.test(name);
