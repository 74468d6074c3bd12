rule simulate_central_path:
    output:
        f"{RESULTS}/theory/{{system}}.csv",
    log:
        f"{LOGS}/theory/{{system}}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        settings=lambda wildcards: flags(STUDY.theory[wildcards.system]),
        code=code("simulate_central_path"),
        environment=pins("steps.simulate_central_path"),
    message:
        "Simulate the central path of {wildcards.system}"
    shell:
        STEP + "simulate-central-path {params.settings} --output {output} > {log} 2>&1"


rule check_theory:
    output:
        f"{RESULTS}/theory/checks.csv",
    log:
        f"{LOGS}/theory/checks.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        code=code("check_theory"),
        environment=pins("steps.check_theory"),
    message:
        "Check what the paper proves"
    shell:
        STEP + "check-theory --output {output} > {log} 2>&1"


rule simulate_unconstrained_features:
    output:
        f"{RESULTS}/theory/unconstrained_features.csv",
    log:
        f"{LOGS}/theory/unconstrained_features.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        code=code("simulate_unconstrained_features"),
        environment=pins("steps.simulate_unconstrained_features"),
    message:
        "Simulate unconstrained features"
    shell:
        STEP + "simulate-unconstrained-features --output {output} > {log} 2>&1"
