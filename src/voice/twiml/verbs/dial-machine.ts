import { TwilioError } from '../../../base/errors.ts';
import { checkMachineDetection, type MachineDetection } from '../../machine-detection.ts';
import { resolveUrl } from '../../webhook/client.ts';
import type { TwimlElement } from '../document.ts';
import type { VerbContext } from '../verb.ts';

/**
 * `machineDetection…` of `<Number>` and `<Sip>`: the two are brought together meanwhile, and `amdStatusCallback` is told who
 * answered. Null when it is not asked for, or asked for wrongly, which is a debugger entry.
 */
export function machineDetectionOf({ name, attributes }: TwimlElement, context: Pick<VerbContext, 'documentUrl' | 'report'>): MachineDetection | null {
  const given = Object.entries(attributes).filter(([attribute]) => attribute.startsWith('machineDetection'));
  const callback = attributes['amdStatusCallback'];
  const method = attributes['amdStatusCallbackMethod'];
  try {
    return checkMachineDetection({
      ...Object.fromEntries(given),
      asyncAmd: 'true',
      ...(callback === undefined ? {} : { asyncAmdStatusCallback: resolveUrl(context.documentUrl, callback.trim()) ?? callback }),
      ...(method === undefined ? {} : { asyncAmdStatusCallbackMethod: method }),
    });
  } catch (error) {
    if (!(error instanceof TwilioError)) throw error;
    context.report({ errorCode: error.code, message: `<${name}>: nobody listens whether a machine answers: ${error.message}`, log: 1 });
    return null;
  }
}
