/** The backend's environment. */
const { PORT = '3000', DATABASE_URL = 'file:./data/backend.sqlite', ARCHIVE_URL } = process.env;

export const config = {
  port: Number(PORT),
  url: `http://127.0.0.1:${PORT}`,
  /** One SQLite file, or your PostgreSQL. */
  databaseUrl: DATABASE_URL,
  isPostgres: DATABASE_URL.startsWith('postgres'),
  /** An object storage that takes PUT. */
  archiveUrl: ARCHIVE_URL ?? `http://127.0.0.1:${PORT}/pretend-storage/`,
  livekit: {
    apiKey: process.env['LIVEKIT_API_KEY'] ?? 'APIexample',
    apiSecret: process.env['LIVEKIT_API_SECRET'] ?? 'an-example-secret-that-nobody-should-use',
  },
};
