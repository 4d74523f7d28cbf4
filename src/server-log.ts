import { pino } from 'pino';
import type { Log } from './base/log.ts';

const LEVEL_NAMES: Record<number, string> = { 20: 'debug', 30: 'info ', 40: 'WARN ', 50: 'ERROR' };

/**
 * The server's log: JSON lines on stderr, or short lines for people when stderr is a terminal. Fields that could hold a
 * secret are struck out even if a caller hands them in by mistake.
 */
export function createLog(level: string, terminal = process.stderr.isTTY === true): Log {
  const destination = terminal ? { write: (line: string) => void process.stderr.write(terminalLine(line)) } : jsonLines();
  return pino(
    {
      level,
      base: null,
      formatters: terminal ? {} : { level: (label) => ({ level: label }) },
      redact: { paths: ['authToken', 'token', 'secret', 'password', 'authorization', '*.authToken', '*.token', '*.secret', '*.password', '*.authorization'], censor: '[secret]' },
    },
    destination,
  );
}

/** pino escapes C0 alone; DEL and C1 (CSI is one of them) are as bad when somebody looks at the file in a terminal. */
function jsonLines(): { write(line: string): void } {
  const file = pino.destination({ dest: 2, sync: false });
  return { write: (line) => void file.write(jsonLine(line)) };
}

/** A line of JSON that holds no control character but the line end. */
export function jsonLine(line: string): string {
  return line.replace(/[\u007f-\u009f]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);
}

/** One JSON line of pino as `12:00:01 info  call answered callSid=CA…`; control characters never reach the terminal. */
export function terminalLine(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as { level: number; time: number; msg?: string } & Record<string, unknown>;
  const shown = Object.entries(fields).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const text = [new Date(time).toTimeString().slice(0, 8), LEVEL_NAMES[level] ?? String(level), msg ?? '', ...shown].join(' ');
   
  return `${text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')}\n`;
}
