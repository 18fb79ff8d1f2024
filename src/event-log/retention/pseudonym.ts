import { randomBytes } from 'node:crypto';

const PSEUDONYM = /^erased-[0-9a-f]{12}$/;

/** What takes the place of a name that others are grouped by. */
export const newPseudonym = (): string => `erased-${randomBytes(6).toString('hex')}`;

/** Whether a name was erased. */
export const isPseudonym = (name: string | null): name is string => name !== null && PSEUDONYM.test(name);
