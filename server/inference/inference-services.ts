import { type Clock, systemClock } from '#lib/chaos/clock.ts';
import { FaultInjector } from '#lib/chaos/faults/injector.ts';
import type { Logger } from '../logging.ts';
import { GpuFaults } from './gpu-faults.ts';
import { GpuHost } from './gpu-host.ts';
import { type HttpService, serveHttp } from './http-service.ts';
import type { InferenceProfile } from './inference-profile.ts';
import { ModelFiles } from './model-files.ts';
import type { MultipartLimits } from './multipart-upload.ts';
import { completionRoutes } from './nemotron/completion-routes.ts';
import { CompletionService } from './nemotron/completion-service.ts';
import { RateMeter } from './rate-meter.ts';
import type { AfterEffect } from './restart-keeper.ts';
import { detectRoutes } from './yolo26/detect-routes.ts';
import { DetectionService } from './yolo26/detection-service.ts';

export interface Address {
  host: string;
  /** 0 takes a free one. */
  port: number;
}

export interface InferenceServicesOptions {
  profile: InferenceProfile;
  /** Where the models' files and their store are, or will be made. */
  modelsDir: string;
  logger: Logger;
  yolo26: Address;
  nemotron: Address;
  /** Time of the card and of everything that waits for it. @default systemClock */
  clock?: Clock;
  /** @default files of 50 MiB, 32 of them */
  uploadLimits?: MultipartLimits;
  /** @default nothing */
  onAfterEffect?: (effect: AfterEffect) => void;
}

export interface InferenceServices {
  readonly host: GpuHost;
  readonly injector: FaultInjector;
  readonly rates: { readonly yolo26: RateMeter; readonly nemotron: RateMeter };
  /** Ports in use. */
  readonly ports: { readonly yolo26: number; readonly nemotron: number };
  close(): Promise<void>;
}

/** Both models behind HTTP on one simulated card, with the injector that breaks it. */
export async function startInferenceServices(options: InferenceServicesOptions): Promise<InferenceServices> {
  const { profile, logger, clock = systemClock, onAfterEffect = () => {} } = options;
  const injector: FaultInjector = new FaultInjector({
    clock,
    effect: {
      arm: (fault) => faults.arm(fault),
      change: (fault, previous) => faults.change(fault, previous),
      end: (fault) => faults.end(fault),
    },
  });
  const host = new GpuHost({
    clock,
    profile,
    injector,
    files: new ModelFiles(options.modelsDir),
    logger,
    onAfterEffect,
    onRestart: (model) => {
      if (model === 'yolo26') detection.forget();
    },
  });
  const faults = new GpuFaults(host);
  const rates = { yolo26: new RateMeter(clock), nemotron: new RateMeter(clock) };
  const detection = new DetectionService(host, (images) => rates.yolo26.add(images));
  const completion = new CompletionService(host, () => rates.nemotron.add(1));
  host.start();

  const servers: HttpService[] = [];
  const close = async () => {
    await injector.close();
    host.close();
    await Promise.all(servers.map((server) => server.close()));
  };
  try {
    const yolo26 = await serveHttp({
      name: 'yolo26',
      ...options.yolo26,
      routes: detectRoutes(detection, host, logger, options.uploadLimits),
      logger,
    });
    servers.push(yolo26);
    const nemotron = await serveHttp({
      name: 'nemotron',
      ...options.nemotron,
      routes: completionRoutes(completion, host),
      logger,
    });
    servers.push(nemotron);
    return { host, injector, rates, ports: { yolo26: yolo26.port, nemotron: nemotron.port }, close };
  } catch (error) {
    await close();
    throw error;
  }
}
