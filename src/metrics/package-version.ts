/** The version in `package.json`, not read at run time: runners that compile modules to CommonJS reject `import.meta`. */
export const PACKAGE_VERSION = '0.1.0';
