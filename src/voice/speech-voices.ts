/**
 * Which of espeak-ng's voices comes nearest to one of Twilio's: the language asked for (else that of the named voice, else
 * American English) and its gender. No two voices sound alike; a caller shall hear the right language from a man or a woman.
 */

const DEFAULT_LANGUAGE = 'en-us';
const FEMALE_VARIANT = '+f2';

/** Codes that espeak-ng has under another name. */
const ALIASES: Readonly<Record<string, string>> = { zh: 'cmn', 'zh-hk': 'yue', 'zh-mo': 'yue', no: 'nb', arb: 'ar', iw: 'he', in: 'id' };

/** Names of Amazon Polly that Twilio offers, by language: women before the bar, men behind it. */
const POLLY: Readonly<Record<string, string>> = {
  ar: 'Zeina Hala|Zayd', ca: 'Arlet|', yue: 'Hiujin|', cmn: 'Zhiyu|', cs: 'Jitka|', da: 'Naja Sofie|Mads', nl: 'Laura Lotte|Ruben', 'nl-be': 'Lisa|',
  'en-au': 'Nicole Olivia|Russell', 'en-gb': 'Amy Emma|Brian Arthur', 'en-in': 'Aditi Raveena Kajal|', 'en-ie': 'Niamh|', 'en-nz': 'Aria|', 'en-za': 'Ayanda|', 'en-sg': 'Jasmine|', 'en-gb-wls': '|Geraint',
  'en-us': 'Danielle Ivy Joanna Kendra Kimberly Salli Ruth|Gregory Joey Justin Kevin Matthew Stephen Patrick',
  fi: 'Suvi|', fr: 'Celine Céline Lea Léa|Mathieu Remi Rémi', 'fr-be': 'Isabelle|', 'fr-ca': 'Chantal Gabrielle|Liam', de: 'Marlene Vicki|Hans Daniel', 'de-at': 'Hannah|', 'de-ch': 'Sabrina|',
  is: 'Dora Dóra|Karl', it: 'Carla Bianca|Giorgio Adriano', ja: 'Mizuki Kazuha Tomoko|Takumi', ko: 'Seoyeon Jihye|', nb: 'Liv Ida|', pl: 'Ewa Maja Ola|Jacek Jan', 'pt-br': 'Camila Vitoria Vitória|Ricardo Thiago',
  'pt-pt': 'Ines Inês|Cristiano', ro: 'Carmen|', ru: 'Tatyana|Maxim', es: 'Conchita Lucia Alba|Enrique Sergio Raul Raúl', 'es-mx': 'Mia|Andres Andrés', 'es-us': 'Lupe Penelope Penélope|Miguel Pedro', sv: 'Astrid Elin|', tr: 'Filiz Burcu|', cy: 'Gwyneth|',
};

/** Named voices of Google that are women; its lettered ones are mostly women at A, C, E, F, G, H. */
const GOOGLE_WOMEN = new Set(['Achernar', 'Aoede', 'Autonoe', 'Callirrhoe', 'Despina', 'Erinome', 'Gacrux', 'Kore', 'Laomedeia', 'Leda', 'Pulcherrima', 'Sulafat', 'Vindemiatrix', 'Zephyr']);
const GOOGLE_WOMENS_LETTERS = /^[ACEFGH]$/;

/** The value of a `voice` attribute that means something: `man`, `woman`, `alice`, or a provider's name and voice. */
export function isVoiceName(text: string): boolean {
  return /^(man|woman|alice)$/i.test(text) || /^[A-Za-z]{2,20}\.[\p{L}\d.:_-]{1,80}$/u.test(text);
}

interface NamedVoice {
  female: boolean;
  language: string | null;
}

function namedVoice(voice: string | null): NamedVoice {
  const [provider = '', ...rest] = (voice ?? '').split('.');
  const name = rest.join('.');
  switch (provider.toLowerCase()) {
    case 'woman':
    case 'alice':
      return { female: true, language: null };
    case 'polly':
      return pollyVoice(name.split('-', 1)[0] ?? '');
    case 'google':
      return googleVoice(name);
    default:
      return { female: false, language: null };
  }
}

function pollyVoice(name: string): NamedVoice {
  for (const [language, names] of Object.entries(POLLY)) {
    const [women = '', men = ''] = names.split('|');
    if (women.split(' ').includes(name)) return { female: true, language };
    if (men.split(' ').includes(name)) return { female: false, language };
  }
  return { female: false, language: null };
}

/** `en-GB-Standard-A`, `de-DE-Chirp3-HD-Kore`. */
function googleVoice(name: string): NamedVoice {
  const language = /^[a-z]{2,3}-[A-Za-z]{2,4}/.exec(name)?.[0].toLowerCase() ?? null;
  const last = name.split('-').at(-1) ?? '';
  return { female: GOOGLE_WOMEN.has(last) || GOOGLE_WOMENS_LETTERS.test(last), language };
}

/** The argument of `espeak-ng -v`, or null when no voice of it speaks the language. `known`: names in lower case. */
export function nearestVoice({ language, voice }: { language: string | null; voice: string | null }, known: ReadonlySet<string>): string | null {
  const named = namedVoice(voice);
  const spoken = nearestLanguage((language?.trim() || named.language) ?? DEFAULT_LANGUAGE, known);
  if (spoken === null) return null;
  return named.female ? `${spoken}${FEMALE_VARIANT}` : spoken;
}

/** No language tag is longer; looking for one part by part would take its square. */
const MAX_LANGUAGE_CHARS = 64;

/** `de-AT` is spoken as `de` where there is no Austrian. */
function nearestLanguage(wanted: string, known: ReadonlySet<string>): string | null {
  if (wanted.length > MAX_LANGUAGE_CHARS) return null;
  const parts = wanted.toLowerCase().replaceAll('_', '-').split('-');
  for (let length = parts.length; length > 0; length--) {
    const code = parts.slice(0, length).join('-');
    for (const name of [code, ALIASES[code] ?? '']) if (known.has(name)) return name;
  }
  return null;
}

/** Reads the table that `espeak-ng --voices` prints: language codes, and file names, which name a language as well. */
export function languagesOf(table: string): Set<string> {
  const names = new Set<string>();
  for (const line of table.split('\n').slice(1)) {
    const [, , language = '', , , file = ''] = /^(\s*\d+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)/.exec(line) ?? [];
    for (const name of [language, file.split('/').at(-1) ?? '']) if (/^[a-z]{2,3}(-[a-z0-9]+)*$/i.test(name)) names.add(name.toLowerCase());
  }
  return names;
}
