/** Who may import whom: docs/design/call-path.md, "The walls". Each room names what it may see; everything else is an error. */
const rooms = {
  base: [],
  sip: ['base'],
  sdp: ['base'],
  media: ['base', 'sdp'],
  voice: ['base', 'sip', 'sdp', 'media/protocol'],
  rooms: ['base', 'media/protocol'],
  recording: ['base', 'voice', 'rooms', 'media/protocol'],
  bridge: ['base', 'voice', 'rooms', 'media/protocol'],
  signaling: ['base', 'rooms', 'sdp', 'media/protocol'],
  api: ['base', 'voice', 'rooms', 'recording'],
  store: ['base', 'voice/model', 'voice/conference/model', 'voice/queue/model', 'voice/carrier/model', 'voice/recording/model', 'rooms/model', 'recording/model', 'recording/composition/model', 'recording/transcription/model'],
  observe: ['base'],
};

const pattern = (name) => (name.includes('/') ? `^src/${name}\\.ts$` : `^src/${name}/`);

module.exports = {
  forbidden: [
    { name: 'no-cycles-between-folders', severity: 'error', from: {}, to: { circular: true } },
    ...Object.entries(rooms).map(([room, allowed]) => ({
      name: `${room}-sees-only-${allowed.join('+') || 'itself'}`,
      severity: 'error',
      from: { path: `^src/${room}/`, pathNot: ['\\.test\\.ts$', `^src/${room}/testing/`] },
      to: { path: '^src/', pathNot: [`^src/${room}/`, ...allowed.map(pattern)] },
    })),
    {
      name: 'sockets-have-their-places',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(sip/transport|media/transport|signaling|api|voice/webhook|store|cluster|cli|testing|observe)/', '^src/(main|setting-kinds|client-address|port-check|port-probe)\\.ts$', '\\.test\\.ts$'] },
      to: { path: '^(node:)?(dgram|net|tls|http|https|http2)$' },
    },
    { name: 'tests-are-leaves', severity: 'error', from: { path: '^src/', pathNot: '\\.test\\.ts$' }, to: { path: '\\.test\\.ts$' } },
  ],
  options: { tsPreCompilationDeps: true, tsConfig: { fileName: 'tsconfig.json' }, doNotFollow: { path: 'node_modules' }, exclude: { path: '^(dist|node_modules)/' } },
};
