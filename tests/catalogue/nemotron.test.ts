import { openHttpService, proveCommonHttpFaults, servesHttp } from './http-faults.ts';
import { proveFault } from './prove-fault.ts';

const PROMPT = { prompt: 'Objects: 2 × person', max_tokens: 30 };

const ask = (body: object) => ({ type: 'application/json', bytes: Buffer.from(JSON.stringify(body)) });
const open = () => openHttpService('nemotron', '/completion', ask({ ...PROMPT, max_tokens: 1 }));
const openWithText = () => openHttpService('nemotron', '/completion', ask(PROMPT));

proveCommonHttpFaults('nemotron', open);

proveFault('nemotron', 'malformed_response', open, {
  ttlMs: 2000,
  hitKind: 'POST /completion',
  serves: servesHttp,
  async seesEffect({ infer }) {
    const { status, faultId, text } = await infer();
    return status === 200 && faultId !== undefined && text.startsWith('<html>');
  },
});

proveFault('nemotron', 'malformed_response', openWithText, {
  variant: 'score_out_of_range',
  params: { mode: 'score_out_of_range' },
  ttlMs: 3000,
  hitKind: 'POST /completion',
  serves: servesHttp,
  async seesEffect({ infer }) {
    const { status, faultId, text } = await infer();
    if (status !== 200 || faultId === undefined) return false;
    const { content } = JSON.parse(text) as { content: string };
    return /"risk_score": 1000\b/.test(content); // all else is as the model said it
  },
});

proveFault('nemotron', 'rate_limited', open, {
  params: { retryAfterMs: 2500 },
  ttlMs: 2000,
  hitKind: 'POST /completion',
  serves: servesHttp,
  async seesEffect({ infer, call }) {
    const { status, faultId, retryAfter, text } = await infer();
    if (status !== 429 || retryAfter !== '3' || faultId === undefined) return false;
    const { error } = JSON.parse(text) as { error: { code: number; fault: string } };
    return error.code === 429 && error.fault === faultId && (await call('/health')).status === 200;
  },
});
