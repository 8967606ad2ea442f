import { createApiClient, readAnswer } from './api-client.ts';
import { requestSchema } from './api-schemas.ts';
import { print, printJson, type CliContext, type JsonFlag } from './context.ts';
import { requestPath } from './request-id.ts';

/** Calls one of the actions that move a request, and says where it stands then. */
export async function actOnRequest(context: CliContext, flags: JsonFlag, id: string, action: 'approve' | 'reject' | 'withdraw', body: object = {}): Promise<void> {
  const answer = await createApiClient(context).post(`${requestPath(id)}/${action}`, body);
  if (flags.json) {
    printJson(context, answer);
    return;
  }
  const request = readAnswer(requestSchema, answer);
  print(context, `${request.id} (${request.reference}) is ${request.status}`);
}
