export { createNotify, codeOccasion, type Notify, type NotifyDeps } from './notify.ts';
export { createNotificationSender, type NotificationSender, type SendNotificationDeps } from './send-notification.ts';
export { createMailer, type Mailer, type MailResult } from './mailer.ts';
export { createSmsCodeJudge } from './judge-sms-code.ts';
export { createTexter, type JudgedCode, type Texter, type TexterDeps } from './texter.ts';
export { createOfficerHooks, type OfficerHooks } from './officer-hooks.ts';
export { notificationSend, notificationSweep } from './jobs.ts';
export type { ClosureFacts, ManualTaskFacts, NewNotification, NotificationTemplate, Recipient } from './notification.ts';
export type { Sender } from './domain/templates.ts';
