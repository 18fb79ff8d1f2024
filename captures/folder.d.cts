/** Where the captures lie. */
export const FOLDER: string;
