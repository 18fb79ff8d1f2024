import { toldOf } from '../logging/error-fields.js';

/** What ails the store, in the driver's words where they hold nobody's data; else its code. */
export const storeTrouble = (error: unknown): string => toldOf(error);
