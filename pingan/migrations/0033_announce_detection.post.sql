-- Every home is told of anew: the version before this one could not say its area, its clock or its limits.
update homes set revision = revision + 1;
