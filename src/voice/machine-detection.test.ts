import { describe, expect, it } from 'vitest';
import { checkMachineDetection } from './machine-detection.ts';

describe('machine detection', () => {
  it('is off when it is not asked for', () => {
    expect(checkMachineDetection({})).toBeNull();
    expect(checkMachineDetection({ machineDetection: '', machineDetectionTimeout: '10' })).toBeNull();
  });

  it('has the documented defaults, and takes what was given', () => {
    expect(checkMachineDetection({ machineDetection: 'Enable' })).toEqual({ mode: 'enable', timeoutMs: 30_000, speechThresholdMs: 2400, speechEndThresholdMs: 1200, silenceTimeoutMs: 5000, asynchronous: null });
    expect(
      checkMachineDetection({ machineDetection: 'DetectMessageEnd', machineDetectionTimeout: '59', machineDetectionSpeechThreshold: '1000', machineDetectionSpeechEndThreshold: '500', machineDetectionSilenceTimeout: '10000', asyncAmd: 'true', asyncAmdStatusCallback: 'https://app.example/amd', asyncAmdStatusCallbackMethod: 'get' }),
    ).toEqual({ mode: 'message-end', timeoutMs: 59_000, speechThresholdMs: 1000, speechEndThresholdMs: 500, silenceTimeoutMs: 10_000, asynchronous: { callback: { url: 'https://app.example/amd', method: 'GET' } } });
  });

  it.each([
    [{ machineDetection: 'maybe' }, 21234],
    [{ machineDetection: 'Enable', machineDetectionTimeout: '2' }, 21234],
    [{ machineDetection: 'Enable', machineDetectionTimeout: '60' }, 21234],
    [{ machineDetectionSpeechThreshold: '999' }, 21234],
    [{ machineDetectionSpeechEndThreshold: '5001' }, 21234],
    [{ machineDetectionSilenceTimeout: 'soon' }, 21234],
    [{ machineDetection: 'constructor' }, 21234],
    [{ asyncAmd: 'perhaps' }, 20001],
    [{ asyncAmdStatusCallback: 'nowhere' }, 21609],
    [{ asyncAmdStatusCallbackMethod: 'PUT' }, 21209],
  ])('of %j is refused with %i', (options, code) => {
    expect(() => checkMachineDetection(options)).toThrow(expect.objectContaining({ code }) as Error);
  });
});
