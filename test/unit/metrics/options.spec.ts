import { MetricsModule, type MetricsModuleOptions, MetricsOptionsError } from '../../../src/index.js';

test('metrics are not open to anybody because the name of their token is misspelt', () => {
  const options = { tokn: 'a-token-of-more-than-sixteen' } as MetricsModuleOptions;
  const refused = () => MetricsModule.forRoot(options);
  expect(refused).toThrow(MetricsOptionsError);
  expect(refused).toThrow(/option `tokn` is none: there are `path`, `token`, .*`processMetrics`$/);
  expect(refused).not.toThrow(/a-token/);
});

test('an option that is undefined is not given', () => {
  expect(MetricsModule.forRoot({ tokn: undefined } as MetricsModuleOptions)).toBeDefined();
});
