import { connect, createServer } from 'node:net';
import type { StreamKind } from './stream.ts';

/** Plain TCP (RFC 3261 §18). */
export const TCP: StreamKind = {
  name: 'TCP',
  listen: (accepted) => createServer(accepted),
  connect: ({ address, port }, ready) => connect({ host: address, port }, ready),
};
