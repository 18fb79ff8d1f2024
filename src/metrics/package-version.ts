/** The version in `package.json`, which nothing reads at run time: `import.meta` would not pass runners that turn modules into CommonJS. */
export const PACKAGE_VERSION = '0.1.0';
