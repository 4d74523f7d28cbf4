import type { PhoneMedia } from '../../media/protocol.ts';
import type { Party } from '../dialling/party.ts';
import type { VerbContext } from '../twiml/verb.ts';
import type { Side } from './side.ts';

type OwnContext = Pick<VerbContext, 'call' | 'by' | 'signal' | 'onRefer' | 'end'>;

/** A call with a document of its own: the caller of a `<Dial>`, or who takes a place. `release`: told when the talk is over. */
export function sideOfCall(context: OwnContext, phone: PhoneMedia, release: () => void = () => undefined): Side {
  const { signal } = context;
  return {
    ...{ record: context.call, phone, called: false, gone: signal, release },
    by: () => context.by(),
    onRefer: (listener) => context.onRefer(listener),
    end: (termination) => {
      if (!signal.aborted) context.end(termination);
    },
  };
}

/** A phone that was called. */
export function sideOfParty(party: Party, phone: PhoneMedia): Side {
  return {
    ...{ record: party.child.record, phone, called: true, gone: party.gone },
    by: () => party.child.by,
    onRefer: (listener) => party.onRefer(listener),
    end: (termination) => {
      if (!party.gone.aborted) party.child.end(termination);
    },
    release: () => party.let(),
  };
}
