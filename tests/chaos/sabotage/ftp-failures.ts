import type { SabotagesOf } from './sabotage.ts';

const UPLOADS = 'server/pipeline/intake/incoming-uploads.ts';
const WATCHER = 'server/pipeline/intake/inbox-watcher.ts';
const VALIDATION = 'server/pipeline/intake/validate-upload.ts';

export const sabotage: SabotagesOf<'ftp-failures'> = {
  'upload-timeout-moves-to-dlq': {
    breaks: 'a silent upload is waited for without end',
    file: 'server/pipeline/intake/incoming-file.ts',
    find: 'this.destroy(new UploadTimeoutError(timeoutMs))',
    replace: '{}',
  },
  'repeated-upload-timeout-triggers-alert': {
    breaks: 'each time-out in a row counts as the first',
    file: UPLOADS,
    find: 'this.#timeoutsInARow++;',
    replace: 'this.#timeoutsInARow = 1;',
  },
  'incomplete-image-validation-fails': {
    breaks: 'what a decoder only warns of is let through',
    file: VALIDATION,
    find: "failOn: 'warning'",
    replace: "failOn: 'none'",
  },
  'partial-write-detected-via-size-check': {
    breaks: 'there is no smallest size',
    file: VALIDATION,
    find: 'if (size < limits.minBytes)',
    replace: 'if (size < 0)',
  },
  'still-being-written-file-debounced': {
    breaks: 'a file is taken some time after it was first seen, though it grows',
    file: WATCHER,
    find: 'if (known?.sizeBytes !== size || known.modifiedAtMs !== mtimeMs) {',
    replace: 'if (known === undefined) {',
  },
  'corrupted-jpeg-handled-gracefully': {
    breaks: 'only the header of an image is read',
    file: VALIDATION,
    find: 'await image.raw().toBuffer();',
    replace: '',
  },
  'corrupted-video-detection-fails-gracefully': {
    breaks: 'the lengths in a video are not compared with what is there',
    file: 'server/pipeline/intake/video-container.ts',
    find: 'if (length < 8 || at + length > bytes.length) {',
    replace: 'if (length < 8) {',
  },
  'disk-full-during-file-copy-logged': {
    breaks: 'what the disk refused is not logged',
    file: UPLOADS,
    find: "this.#options.logger.error({ err: error }, 'upload could not be stored');",
    replace: '',
  },
  'low-disk-space-warning-triggered': {
    breaks: 'there is nothing between enough space and none',
    file: 'server/pipeline/intake/disk-space.ts',
    find: "freeRatio < lowRatio ? 'low' : 'enough'",
    replace: "freeRatio < lowRatio ? 'enough' : 'enough'",
  },
  'unreadable-file-permission-denied': {
    breaks: 'a file that cannot be read is taken for one that is gone',
    file: WATCHER,
    find: "if (!isErrorCode(error, 'ENOENT') || path === upload.path) throw error;",
    replace: "if (!isErrorCode(error, 'ENOENT', 'EACCES')) throw error;",
  },
  'directory-permission-denied-stops-watcher': {
    breaks: 'uploads are taken although their watcher could not start',
    file: 'server/pipeline/intake/intake.ts',
    find: 'await watcher.start();',
    replace: 'await watcher.start().catch(() => {});',
  },
  'file-deleted-before-validation': {
    breaks: 'a deleted upload is not named',
    file: WATCHER,
    find: 'await sink.drop?.(id,',
    replace: 'void (id,',
  },
  'file-deleted-during-upload-retry-handled': {
    breaks: 'a deleted upload is tried on and on',
    file: WATCHER,
    find: 'if (await this.#deleted(upload)) return false;',
    replace: 'await this.#deleted(upload);',
  },
  'unsupported-file-extension-skipped': {
    breaks: 'any extension is taken for a video',
    file: VALIDATION,
    find: 'if (!kind) return reject(',
    replace: 'if (!kind) void reject(',
  },
  'text-file-with-image-extension-rejected': {
    breaks: 'the name says what a file is',
    file: VALIDATION,
    find: 'const defect = await imageDefect(bytes);',
    replace: 'const defect = undefined;',
  },
  'oversized-image-rejected': {
    breaks: 'there is no largest size',
    file: VALIDATION,
    find: 'if (size > limits.maxBytes)',
    replace: 'if (size < 0)',
  },
  'duplicate-file-hash-prevents-reprocessing': {
    breaks: 'who holds the hash is not looked at',
    file: WATCHER,
    find: 'if (originalId !== id) {',
    replace: "if (originalId === '') {",
  },
  'race-condition-same-file-multiple-watchers': {
    breaks: 'a second watcher takes the file of the first one for its duplicate',
    file: 'server/pipeline/viewers/cache.ts',
    find: "const holder = set === 'OK' ? uploadId : await redis.get(PREFIX + key);",
    replace: "const holder = set === 'OK' ? uploadId : 'another';",
  },
};
