import { LazyNotFound } from '#components/frame/LazyNotFound.tsx';

export default function Page() {
  return <LazyNotFound />;
}
