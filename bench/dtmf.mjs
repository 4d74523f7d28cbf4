// What looking for keys in the sound costs a call, in CPU time for each second of sound: silence, noise like speech, keys.
// Run after `npm run build`:  node bench/dtmf.mjs
import { DtmfDetector } from '../dist/media/detect/dtmf-detector.js';

const SECONDS = 200;
const FRAMES = 50;
const tone = (hz, i) => Math.sin((2 * Math.PI * hz * i) / 8000);
const sounds = {
  silence: () => 0,
  voice: (i) => (((i / 4000) | 0) % 2) * [140, 280, 420, 700, 1120].reduce((sum, hz) => sum + 1500 * tone(hz, i), 0) + 200 * (Math.random() - 0.5),
  keys: (i) => (((i / 800) | 0) % 2) * (7000 * tone(770, i) + 8000 * tone(1336, i)),
};

/** Best of five rounds, microseconds of CPU for one second of sound. */
function best(sound) {
  const second = Array.from({ length: FRAMES }, (_, n) => Int16Array.from({ length: 160 }, (_, i) => sound(n * 160 + i)));
  const costs = Array.from({ length: 5 }, () => {
    const detector = new DtmfDetector();
    const before = process.cpuUsage();
    for (let n = 0; n < SECONDS; n++) for (const frame of second) detector.frame(frame);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / SECONDS;
  });
  return Math.min(...costs).toFixed(0);
}

for (const [name, sound] of Object.entries(sounds)) console.log(`${name}: ${best(sound)} µs a second of sound`);
