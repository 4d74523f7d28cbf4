import ndc from 'node-datachannel';

export const isRtcp = (packet) => packet[1] >= 192 && packet[1] <= 223;

/**
 * A browser's ICE, DTLS and SRTP (by libdatachannel), which sends and gets whole RTP packets: `remote` goes to
 * RoomMedia.createBrowser, what that gives as `local` goes to `accept`.
 */
export class RtcPeer {
  /** `received` gets each packet, RTCP too. */
  constructor(received) {
    this.connection = new ndc.PeerConnection('browser', { iceServers: [], disableAutoNegotiation: true, forceMediaTransport: true, bindAddress: '127.0.0.1' });
    const audio = new ndc.Audio('0', 'SendRecv');
    audio.addAudioCodec(0, 'PCMU');
    this.track = this.connection.addTrack(audio);
    this.track.onMessage(received);
    // Kept: libdatachannel lets go of what nobody refers to.
    this.channel = this.connection.createDataChannel('x');
    this.connection.setLocalDescription('offer');
    const offer = this.connection.localDescription().sdp;
    const value = (name) => new RegExp(`a=${name}:(.*?)\r\n`).exec(offer)[1];
    this.remote = { iceUfrag: value('ice-ufrag'), icePwd: value('ice-pwd'), fingerprint: value('fingerprint') };
    this.dataMid = /m=application[\s\S]*a=mid:(\S+)/.exec(offer)[1];
  }

  accept({ iceUfrag, icePwd, fingerprint, setup, candidates }) {
    const answer = [
      'v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0 1', `a=ice-ufrag:${iceUfrag}`, `a=ice-pwd:${icePwd}`, `a=fingerprint:${fingerprint}`, `a=setup:${setup}`,
      'm=audio 9 UDP/TLS/RTP/SAVPF 0', 'c=IN IP4 0.0.0.0', 'a=mid:0', 'a=sendrecv', 'a=rtcp-mux', 'a=rtpmap:0 PCMU/8000', ...candidates.map((candidate) => `a=candidate:${candidate}`),
      'm=application 9 UDP/DTLS/SCTP webrtc-datachannel', 'c=IN IP4 0.0.0.0', `a=mid:${this.dataMid}`, 'a=sctp-port:5000', '',
    ];
    this.connection.setRemoteDescription(answer.join('\r\n'), 'answer');
  }

  send(packet) {
    return this.track.isOpen() && this.track.sendMessageBinary(packet);
  }

  close() {
    this.connection.close();
  }
}
