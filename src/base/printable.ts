/** Text of outside for a terminal: a control character (ANSI escapes begin with one) becomes `?`; line ends stay where `lines` allows them. */
export function printable(text: string, { lines = false }: { lines?: boolean } = {}): string {
  return text.replace(lines ? /[^\P{Cc}\n]/gu : /\p{Cc}/gu, '?');
}
