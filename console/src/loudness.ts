/** How loud tracks are, for the rings around those who speak. One audio graph and one animation loop for all of them. */

const QUIET_DBFS = -55;
const LOUD_DBFS = -12;
/** Share of the old level kept from frame to frame: a ring falls slower than it rises. */
const FALL = 0.88;

interface Ear {
  source: MediaStreamAudioSourceNode;
  analyser: AnalyserNode;
  level: number;
  told: number;
  tell: (level: number) => void;
}

let context: AudioContext | null = null;
const ears = new Set<Ear>();
const samples = new Float32Array(1024);

/** Call it from a click: browsers start sound only then. */
export function wakeAudio(): void {
  context ??= new AudioContext();
  void context.resume();
}

/**
 * Tells the loudness of a track, 0 (silence) to 1 (loud), whenever it changed visibly.
 * @returns ends it
 */
export function watchLoudness(track: MediaStreamTrack, tell: (level: number) => void): () => void {
  context ??= new AudioContext();
  const source = context.createMediaStreamSource(new MediaStream([track]));
  const analyser = new AnalyserNode(context, { fftSize: 1024, smoothingTimeConstant: 0 });
  source.connect(analyser);
  const ear: Ear = { source, analyser, level: 0, told: 0, tell };
  ears.add(ear);
  if (ears.size === 1) requestAnimationFrame(listen);
  return () => {
    ears.delete(ear);
    source.disconnect();
    tell(0);
  };
}

function listen(): void {
  for (const ear of ears) hear(ear);
  if (ears.size > 0) requestAnimationFrame(listen);
}

function hear(ear: Ear): void {
  ear.analyser.getFloatTimeDomainData(samples);
  let power = 0;
  for (const sample of samples) power += sample * sample;
  const dbfs = 10 * Math.log10(power / samples.length + 1e-12);
  const now = Math.min(1, Math.max(0, (dbfs - QUIET_DBFS) / (LOUD_DBFS - QUIET_DBFS)));
  ear.level = Math.max(now, ear.level * FALL);
  if (ear.level < 0.02) ear.level = 0;
  if (Math.abs(ear.level - ear.told) < 0.02 && ear.level !== 0) return;
  if (ear.level === ear.told) return;
  ear.told = ear.level;
  ear.tell(ear.level);
}
