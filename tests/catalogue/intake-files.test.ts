/** Faults on files that act in the intake: the real one, with the uploader of the real cameras. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FTPError } from 'basic-ftp';
import { faultMark, readFaultMark } from '#lib/chaos/faults/fault.ts';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import { FtpUploader } from '#server/cameras/ftp-uploader.ts';
import {
  CAMERA,
  type Bench as IntakeBench,
  makeBench,
  makeFrame,
} from '#server/pipeline/intake/intake-fixture.ts';
import { until } from '#tests/support/until.ts';
import { type FaultBench, proveFault } from './prove-fault.ts';

interface IntakeFaultBench extends FaultBench {
  readonly intake: IntakeBench;
  /** As a camera does it; gives the id of the upload, or the error with which it was refused. */
  upload(): Promise<string | Error>;
}

/** An intake with the faults that act in it. */
async function openIntake(): Promise<IntakeFaultBench> {
  const refresh = () => intake.intake.refreshDisk();
  const injector: FaultInjector = new FaultInjector({
    effect: { arm: refresh, change: () => {}, end: refresh },
  });
  const intake = await makeBench({ injector, diskProbeMs: 60_000 });
  const uploader = new FtpUploader({
    host: '127.0.0.1',
    port: intake.intake.ftpPort,
    user: CAMERA,
    password: intake.password,
    timeoutMs: 8000,
  });
  let count = 0;
  return {
    injector,
    intake,
    async upload() {
      const bytes = await makeFrame();
      return uploader.upload(`frame-${++count}.jpg`, bytes).then(
        (id) => id ?? new Error('accepted without an id'),
        (error: Error) => error,
      );
    },
    async close() {
      uploader.close();
      await intake.close();
    },
  };
}

/** How many alerts each intake had raised when it last took a frame. */
const alerted = new WeakMap<IntakeBench, number>();
const newAlerts = (intake: IntakeBench) => intake.sink.alerts.slice(alerted.get(intake) ?? 0);

/** A frame is accepted and handed on. */
async function isTaken({ intake, upload }: IntakeFaultBench): Promise<boolean> {
  const { sink } = intake;
  const id = await upload();
  if (id instanceof Error) return false;
  await until('it is handed on', 5000, () => sink.submitted.some((upload) => upload.id === id));
  alerted.set(intake, sink.alerts.length);
  return true;
}

/** Refused with this reply, which names the fault; nothing is on record, one alert since all was well. */
async function isRefused(
  { intake: bench, injector, upload }: IntakeFaultBench,
  code: number,
  alert: string,
): Promise<boolean> {
  const { intake } = bench;
  const before = (await intake.acceptedIds()).size;
  const error = await upload();
  return (
    error instanceof FTPError &&
    error.code === code &&
    readFaultMark(error.message) === injector.all()[0]?.id &&
    (await intake.acceptedIds()).size === before &&
    newAlerts(bench).length === 1 &&
    newAlerts(bench)[0]?.code === alert
  );
}

const idsOf = async ({ intake }: IntakeFaultBench) => [...(await intake.intake.acceptedIds()).keys()];
const filesIn = ({ dataDir }: IntakeBench, folder: string) => readdir(join(dataDir, folder));

proveFault('ftp', 'disk_full', openIntake, {
  ttlMs: 1500,
  hitKind: 'store',
  serves: isTaken,
  seesEffect: async (bench) =>
    (await isRefused(bench, 452, 'DISK_FULL')) &&
    bench.intake.intake.metrics().freeRatio === 0 &&
    (await filesIn(bench.intake, 'incoming')).length === 0,
});

proveFault('ftp', 'disk_full', openIntake, {
  variant: 'low',
  params: { freeRatio: 0.05 },
  ttlMs: 1500,
  hitKind: 'probe',
  serves: isTaken,
  seesEffect: async (bench) =>
    bench.intake.intake.metrics().freeRatio === 0.05 &&
    newAlerts(bench.intake).length === 1 &&
    newAlerts(bench.intake)[0]?.code === 'DISK_LOW' &&
    (await isTaken(bench)),
});

proveFault('ftp', 'permission_denied', openIntake, {
  variant: 'read',
  params: { step: 'read' },
  ttlMs: 2500,
  hitKind: 'read',
  async serves(bench) {
    return (await isTaken(bench)) && bench.intake.sink.submitted.length === (await idsOf(bench)).length;
  },
  async seesEffect(bench) {
    const { intake, upload } = bench;
    const before = intake.sink.alerts.length;
    const id = await upload();
    const isHandedOn = () => intake.sink.submitted.some((each) => each.id === id);
    const isStuck = () => intake.sink.alerts.slice(before).some(({ code }) => code === 'UPLOAD_STUCK');
    const seen = await until('its fate', 5000, () => (isHandedOn() && 'taken') || (isStuck() && 'stuck'), 20);
    return seen === 'stuck' && !isHandedOn() && (await intake.intake.inboxIds()).has(String(id));
  },
});

proveFault('ftp', 'permission_denied', openIntake, {
  variant: 'store',
  ttlMs: 1500,
  hitKind: 'store',
  serves: isTaken,
  seesEffect: async (bench) =>
    (await isRefused(bench, 451, 'UPLOAD_STORAGE')) && (await filesIn(bench.intake, 'incoming')).length === 0,
});

proveFault('ftp', 'permission_denied', openIntake, {
  variant: 'accept',
  params: { step: 'accept' },
  ttlMs: 1500,
  hitKind: 'accept',
  serves: isTaken,
  seesEffect: async (bench) =>
    (await isRefused(bench, 451, 'UPLOAD_STORAGE')) && (await filesIn(bench.intake, 'incoming')).length > 0, // whole, and kept for another rename
});

proveFault('ftp', 'file_deleted', openIntake, {
  ratio: 1,
  ttlMs: 1500,
  hitKind: 'delete',
  serves: isTaken,
  async seesEffect({ intake, injector, upload }) {
    const { sink } = intake;
    const id = await upload();
    if (id instanceof Error) return false;
    await until(
      'it has a home',
      5000,
      () => sink.dropped.has(id) || sink.submitted.some((each) => each.id === id),
    );
    const fault = injector.all()[0]?.id;
    if (fault === undefined || !sink.dropped.get(id)?.includes(faultMark(fault))) return false;
    await until('its file is gone', 5000, async () => !(await intake.intake.inboxIds()).has(id));
    return (await intake.intake.locate(id)) === undefined;
  },
});
