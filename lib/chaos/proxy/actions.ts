/** What a proxy does for a fault type. A type that is not listed acts elsewhere. */
export type ProxyAction =
  /** Keep the bytes, answer nothing, close later. */
  | 'hold'
  /** Answer with an error of the protocol. */
  | 'answer'
  /** Let the call happen and spoil its answer. */
  | 'malform'
  /** Reset the connection of the call. */
  | 'reset'
  /** Pass the call on later. */
  | 'delay'
  /** Close the port, and open connections by FIN at a message boundary. */
  | 'refuse'
  /** Close the port and reset open connections. */
  | 'cut';

const ACTION_OF_TYPE: Readonly<Record<string, ProxyAction>> = {
  timeout: 'hold',
  server_error: 'answer',
  intermittent: 'answer',
  malformed_response: 'malform',
  packet_loss: 'reset',
  latency: 'delay',
  connection_error: 'refuse',
  unavailable: 'cut',
};

export function actionOf(type: string): ProxyAction | undefined {
  return ACTION_OF_TYPE[type];
}
