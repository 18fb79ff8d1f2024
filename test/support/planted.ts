/** The texts that must not be found, by what they are. */
export type Secrets = Readonly<Record<string, string>>;

/** All the forms in which a text could appear: as it is, and encoded as software on its way does. */
function formsOf(text: string): [form: string, found: string][] {
  const escaped = JSON.stringify(text).slice(1, -1);
  return [
    ['plain', text],
    ['in JSON', escaped],
    ['URL-encoded', encodeURIComponent(text)],
    ['in hex', Buffer.from(text).toString('hex')],
    ...base64s(text).flatMap((found): [string, string][] => [
      ['in base64', found],
      ['in base64url', found.replaceAll('+', '-').replaceAll('/', '_')],
    ]),
  ];
}

/** The three forms of a text in base64, by its offset in what is encoded, without characters that depend on its neighbours. */
const base64s = (text: string): string[] =>
  [0, 1, 2].map((before) => {
    const encoded = Buffer.from('x'.repeat(before) + text)
      .toString('base64')
      .replaceAll('=', '');
    const whole = Math.floor(((before + Buffer.byteLength(text)) * 8) / 6);
    return encoded.slice(Math.ceil((before * 8) / 6), whole);
  });

/** Where secrets are found: `apiSecret, plain, in the log`. */
export function leaksIn(places: Readonly<Record<string, string>>, secrets: Secrets): string[] {
  const leaks = new Set<string>();
  for (const [secret, text] of Object.entries(secrets)) {
    for (const [form, found] of formsOf(text)) {
      for (const [place, told] of Object.entries(places)) {
        if (told.includes(found)) leaks.add(`${secret}, ${form}, in ${place}`);
      }
    }
  }
  return [...leaks];
}
