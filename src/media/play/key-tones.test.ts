import { expect, it } from 'vitest';
import { DtmfDetector } from '../detect/dtmf-detector.ts';
import { KeyTones } from './key-tones.ts';

it('keys as sound are heard as what they are, in their time', () => {
  const tones = new KeyTones('1wd*#0');
  const detector = new DtmfDetector();
  const pcm = new Int16Array(160);
  let heard = '';
  let frames = 0;
  for (; tones.read(pcm) > 0; frames++) heard += detector.frame(pcm) ?? '';
  expect([heard, frames * 20]).toEqual(['1D*#0', 5 * 200 + 500]);
});
