// CommonJS, so that there is no `import.meta` in the way of test runners that turn modules into CommonJS.
exports.FOLDER = __dirname;
