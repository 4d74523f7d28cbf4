import { createSocket } from 'node:dgram';
import { StartupError, messageOf } from '../base/errors.ts';

/**
 * The address of this machine that the system would send from to reach that host (IPv4). Nothing is sent. Throws
 * StartupError when there is no way there.
 */
export async function localAddressTowards(host: string): Promise<string> {
  const socket = createSocket('udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(5060, host, () => resolve());
    });
    return socket.address().address;
  } catch (error) {
    throw new StartupError(`${host} cannot be reached over IPv4: ${messageOf(error)}`);
  } finally {
    socket.close();
  }
}
